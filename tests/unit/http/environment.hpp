#pragma once
// Temporary environment variables for tests.

#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nuropb::http {

class Environment {
 public:
  /// Sets these variables, and unsets all others that name a proxy.
  Environment(std::initializer_list<std::pair<std::string, std::string>> wanted) {
    for (const char* name :
         {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"})
      change(name, std::nullopt);
    for (const auto& [name, value] : wanted) change(name, value);
  }
  ~Environment() {
    while (!before_.empty()) {
      write(before_.back().first, before_.back().second);
      before_.pop_back();
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void change(const std::string& name, const std::optional<std::string>& value) {
    const char* now = std::getenv(name.c_str());
    before_.emplace_back(name, now ? std::optional<std::string>(now) : std::nullopt);
    write(name, value);
  }
  static void write(const std::string& name, const std::optional<std::string>& value) {
    if (value) ::setenv(name.c_str(), value->c_str(), 1);
    else ::unsetenv(name.c_str());
  }
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

}  // namespace nuropb::http
