#include "train/history.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace tenon::train {

const double* EpochRecord::find(std::string_view name) const {
  for (const auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

Json to_json(const History& history) {
  Json list = Json::array();
  for (const EpochRecord& record : history) {
    Json entry = {{"epoch", record.epoch},
                  {"step", record.step},
                  {"seconds", record.seconds},
                  {"items_per_second", record.items_per_second},
                  {"rate", record.rate}};
    for (const auto& [name, value] : record.values) entry["values"].push_back({name, value});
    list.push_back(std::move(entry));
  }
  return list;
}

History history_of(const Json& json, std::string_view where) {
  try {
    History history;
    for (const Json& entry : json) {
      EpochRecord& record = history.emplace_back();
      record = {.epoch = entry.at("epoch"),
                .step = entry.at("step"),
                .seconds = entry.at("seconds"),
                .items_per_second = entry.at("items_per_second"),
                .rate = entry.at("rate")};
      // A measure that was not finite is null in JSON.
      if (entry.contains("values"))
        for (const Json& value : entry["values"])
          record.values.emplace_back(value.at(0).get<std::string>(),
                                     value.at(1).is_null() ? NAN : value.at(1).get<double>());
    }
    return history;
  } catch (const Json::exception& error) {
    fail(ErrorKind::data, "{}: the history is damaged ({}); use a file that Tenon wrote", where,
         error.what());
  }
}

}  // namespace tenon::train
