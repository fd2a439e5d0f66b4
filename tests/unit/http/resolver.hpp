#pragma once
// Replaces getaddrinfo() in this program, for libcurl too: what the test says a name leads to, or a look-up that hangs until
// the test is over. Other names go to the real one.

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
  /// Returns when so many look-ups hang.
  void wait_for_hanging(int number);
};

}  // namespace nuropb::http
