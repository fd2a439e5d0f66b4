#pragma once
// An Outlet that records, and callers, for tests of Snorky's services.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class Recorder final : public Outlet {
 public:
  std::size_t largest = 4096;
  std::vector<std::pair<Sessions, std::string>> sent;
  std::vector<std::pair<std::string, std::string>> told;

  bool notify(const Sessions& to, std::string_view frame) override {
    if (frame.size() > largest) return false;
    sent.emplace_back(to, frame);
    return true;
  }
  void tell_peers(std::string_view service, std::string_view body) override { told.emplace_back(service, body); }
};

inline SessionRef socket(std::uint32_t n) { return {{n % 4, 7}, n, n + 100}; }

inline Outcome call(Service& service, std::uint32_t n, std::string_view user, std::string_view command,
                    std::string_view params, bool restoring = false, const Policy::Session* policy = nullptr) {
  std::vector<Outcome> answers;
  service.call({{socket(n), user, policy, {}}, command, params, restoring},
               [&](Outcome outcome) { answers.push_back(std::move(outcome)); });
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? Outcome{} : answers[0];
}

}  // namespace nuropb::meshd::snorky
