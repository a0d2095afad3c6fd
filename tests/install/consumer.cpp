// Uses Tenon as installed: headers by their full and by their short paths, and the library.
#include <tenon/base/version.h>

#include <iostream>

int main() {
  std::cout << "Tenon " << tenon::library_version() << "\n";
  return tenon::library_version() == tenon::kVersion ? 0 : 1;
}
