#include "common/program.hpp"

#include <signal.h>

#include "common/log.hpp"
#include "common/log_output.hpp"
#include "common/log_writer.hpp"
#include "common/service_notice.hpp"
#include "common/standard_streams.hpp"

namespace nuropb::program {

namespace {

/// Signals that may arrive before their handlers exist, and must not end the process then.
sigset_t requests() {
  sigset_t out;
  ::sigemptyset(&out);
  for (const int number : {SIGHUP, SIGUSR2}) ::sigaddset(&out, number);
  return out;
}

}  // namespace

bool begin(const std::string& name, const Config& config) {
  const sigset_t early = requests();
  ::pthread_sigmask(SIG_BLOCK, &early, nullptr);
  for (const int number : {SIGPIPE, SIGUSR1}) ::signal(number, SIG_IGN);
  (void)ServiceNotice::ours();
  const log::Settings settings{name, config.log.level, config.log.format, config.log.file};
  auto output = log::Output::open(settings.file);
  if (!output) {
    complain(output.error().text());
    return false;
  }
  if (output->is_socket()) return log::configure(settings).has_value();
  auto writer = log::Writer::start(settings, std::move(*output), config.hardening.seccomp && sandbox::available());
  if (writer) {
    log::configure(settings, std::move(*writer));
    return true;
  }
  (void)log::configure(settings);
  log::warning("the process writes its log lines itself, and a slow log may block it",
               {{"reason", writer.error().text()}});
  return true;
}

void allow_requests() {
  const sigset_t early = requests();
  ::pthread_sigmask(SIG_UNBLOCK, &early, nullptr);
}

int fail(const Error& error) {
  log::error("can't start", {{"reason", error.text()}});
  return permanent_fault;
}

Result<void> give_up(const Config::Hardening& settings, sandbox::Role role) {
  if (const auto given = sandbox::give_up(settings.core_dumps, role == sandbox::Role::edge); !given) return given;
  if (!settings.seccomp)
    log::warning("system calls are not restricted",
                 {{"hint", "hardening.seccomp = true, unless this is for debugging"}});
  else if (sandbox::available()) return sandbox::allow_only(role);
  return {};
}

void ask_no_more() {
  sigset_t requests;
  ::sigemptyset(&requests);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) ::sigaddset(&requests, number);
  // The handlers are destroyed together with the event loop.
  ::pthread_sigmask(SIG_BLOCK, &requests, nullptr);
}

}  // namespace nuropb::program
