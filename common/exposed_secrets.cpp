#include "common/exposed_secrets.hpp"

#include <sys/stat.h>

#include "common/log.hpp"

namespace nuropb {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

}  // namespace

Files secret_files_of_meshd(const Config& config) {
  Files out;
  const std::pair<const char*, const std::string*> all[] = {
      {"auth.token_file", &config.auth.token_file},
      {"jwt.secret_file", &config.jwt.secret_file},
      {"cookie.secret_file", &config.cookie.secret_file},
      {"introspection.client_secret_file", &config.introspection.client_secret_file},
      {"backend.key_file", &config.backend.key_file},
      {"amqp.password_file", &config.amqp.password_file},
      {"amqp.key_file", &config.amqp.key_file},
      {"etcd.password_file", &config.etcd.password_file},
      {"etcd.key_file", &config.etcd.key_file},
      {"tracing.headers_file", &config.tracing.headers_file}};
  for (const auto& [setting, file] : all) {
    if (!file->empty()) out.emplace_back(setting, *file);
  }
  return out;
}

Files secret_files_of_edges(const Config& config) {
  Files out;
  for (const std::string& file : config.tls.key_files) out.emplace_back("tls.key_files", file);
  return out;
}

Files readable_by_all(const Files& files) {
  Files out;
  for (const auto& one : files) {
    struct stat found{};
    if (::stat(one.second.c_str(), &found) == 0 && S_ISREG(found.st_mode) && (found.st_mode & S_IROTH) != 0)
      out.push_back(one);
  }
  return out;
}

void warn_of_exposed_secrets(const Config& config, const Files& files) {
  for (const std::string& setting : config.passwords_on_command_line)
    log::warning("a password on the command line can be read by every user of this host",
                 {{"setting", setting}, {"hint", "set it in the config file, or use a password file"}});
  for (const auto& [setting, file] : readable_by_all(files))
    log::warning("a file with secrets can be read by every user of this host",
                 {{"setting", setting}, {"file", file}, {"hint", "chmod o-r"}});
}

}  // namespace nuropb
