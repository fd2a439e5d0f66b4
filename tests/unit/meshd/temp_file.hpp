#pragma once
// Files for tests, which run beside each other in processes of their own: each gets its own, and they go with the process.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

namespace nuropb::meshd {

inline std::string temp_file(const std::string& name) {
  struct Files {
    std::vector<std::string> all;
    ~Files() {
      for (const std::string& file : all) std::remove(file.c_str());
    }
  };
  static Files files;
  files.all.push_back(testing::TempDir() + "nuropb-" + std::to_string(::getpid()) + "-" + name);
  return files.all.back();
}

}  // namespace nuropb::meshd
