#include "cli/verb.h"

int main(int argc, char** argv) { return tenon::cli::run_program(argc, argv); }
