#pragma once
// Warnings for secrets that other users of the host can read: passwords on the command line, which ps shows, and files
// with tokens, keys or passwords that are world-readable.

#include <string>
#include <utility>
#include <vector>

#include "common/config.hpp"

namespace nuropb {

/// {setting, file} of every configured file with secrets that only meshd reads.
std::vector<std::pair<std::string, std::string>> secret_files_of_meshd(const Config& config);
/// The same for files that edges read.
std::vector<std::pair<std::string, std::string>> secret_files_of_edges(const Config& config);

/// The subset of `files` that is readable by every user.
std::vector<std::pair<std::string, std::string>> readable_by_all(
    const std::vector<std::pair<std::string, std::string>>& files);

/// Logs one warning per exposed secret.
void warn_of_exposed_secrets(const Config& config, const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace nuropb
