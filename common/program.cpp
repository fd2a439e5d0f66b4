#include "common/program.hpp"

#include <signal.h>

#include <iostream>

#include "common/log.hpp"

namespace nuropb::program {

bool begin(const std::string& name, const decltype(Config::log)& settings) {
  if (const auto ok = log::configure({name, settings.level, settings.format, settings.file}); !ok) {
    std::cerr << ok.error().text() << '\n';
    return false;
  }
  ::signal(SIGPIPE, SIG_IGN);
  return true;
}

int fail(const Error& error) {
  log::error("can't start", {{"reason", error.text()}});
  return permanent_fault;
}

Result<void> give_up(const Config::Hardening& settings, sandbox::Role role) {
  if (const auto given = sandbox::give_up(settings.core_dumps, role == sandbox::Role::edge); !given) return given;
  if (!settings.seccomp)
    log::warning("any system call is allowed", {{"hint", "hardening.seccomp = true, unless this is for debugging"}});
  else if (sandbox::available()) return sandbox::allow_only(role);
  return {};
}

void ask_no_more() {
  sigset_t requests;
  ::sigemptyset(&requests);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) ::sigaddset(&requests, number);
  ::pthread_sigmask(SIG_BLOCK, &requests, nullptr);  // their handlers go with what had the loop
}

}  // namespace nuropb::program
