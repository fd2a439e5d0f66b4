#pragma once
// tests/unit/data/jwt: what PyJWT and attackers made.

#include <fstream>
#include <string>
#include <nlohmann/json.hpp>

namespace nuropb::meshd {

inline const nlohmann::json& jwt_vectors() {
  static const nlohmann::json all = [] {
    std::ifstream in(std::string(NUROPB_SOURCE_DIR) + "/tests/unit/data/jwt/vectors.json");
    return nlohmann::json::parse(in);
  }();
  return all;
}

}  // namespace nuropb::meshd
