#pragma once
// Replaces getaddrinfo() in this program, also for libcurl: returns the addresses that the test has set for a name, or
// hangs until the test is over. Other names use the real resolver.

#include <map>
#include <string>
#include <vector>

namespace nuropb::http {

class Resolver {
 public:
  Resolver();
  ~Resolver();  ///< all that hang are over behind it
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void leads_to(const std::string& name, std::vector<std::string> addresses);
  void hangs(const std::string& name);
  /// Returns when this many look-ups hang.
  void wait_for_hanging(int number);
};

}  // namespace nuropb::http
