#include "tests/unit/http/resolver.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>

namespace nuropb::http {
namespace {

std::mutex mutex;
std::condition_variable changed;
std::map<std::string, std::vector<std::string>> known;  // under mutex, as all below
std::map<std::string, bool> hanging_names;
int hanging = 0;
bool over = false;

using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

int real(const char* name, const char* service, const addrinfo* hints, addrinfo** list) {
  static const auto function = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return function(name, service, hints, list);
}

}  // namespace

Resolver::Resolver() {
  const std::lock_guard lock(mutex);
  over = false;
}
Resolver::~Resolver() {
  std::unique_lock lock(mutex);
  over = true;
  changed.notify_all();
  changed.wait(lock, [] { return hanging == 0; });
  known.clear();
  hanging_names.clear();
}
void Resolver::leads_to(const std::string& name, std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex);
  known[name] = std::move(addresses);
}
void Resolver::hangs(const std::string& name) {
  const std::lock_guard lock(mutex);
  hanging_names[name] = true;
}
void Resolver::wait_for_hanging(int number) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return hanging >= number; });
}

}  // namespace nuropb::http

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** list) {
  using namespace nuropb::http;
  std::vector<std::string> addresses;
  {
    std::unique_lock lock(mutex);
    if (name && hanging_names.contains(name)) {
      ++hanging;
      changed.notify_all();
      changed.wait(lock, [] { return over; });
      --hanging;
      changed.notify_all();
      return EAI_AGAIN;
    }
    if (name && known.contains(name)) addresses = known[name];
  }
  if (addresses.empty()) return real(name, service, hints, list);
  addrinfo numeric = hints ? *hints : addrinfo{};
  numeric.ai_flags = AI_NUMERICHOST;
  addrinfo** end = list;
  for (const std::string& each : addresses) {
    numeric.ai_family = each.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if (real(each.c_str(), service, &numeric, end) != 0) continue;
    while (*end) end = &(*end)->ai_next;  // glibc frees element by element
  }
  return 0;
}
