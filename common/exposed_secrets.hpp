#pragma once
// Warnings for secrets that others on the host can read: passwords on the command line, which ps shows, and files with tokens,
// keys, passwords and secrets whose mode lets every user read them.

#include <string>
#include <utility>
#include <vector>

#include "common/config.hpp"

namespace nuropb {

/// {setting, file} of all files with secrets that only meshd reads, as far as they are set.
std::vector<std::pair<std::string, std::string>> secret_files_of_meshd(const Config& config);
/// Those that edges read.
std::vector<std::pair<std::string, std::string>> secret_files_of_edges(const Config& config);

/// Those of them that every user may read.
std::vector<std::pair<std::string, std::string>> readable_by_all(
    const std::vector<std::pair<std::string, std::string>>& files);

/// A line in the log for each.
void warn_of_exposed_secrets(const Config& config, const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace nuropb
