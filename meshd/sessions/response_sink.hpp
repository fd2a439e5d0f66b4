#pragma once
// Where responses to clients' requests go that meshd gives itself: refusals, and results of what needs no service. The
// implementation is routing/response_router.hpp. Owner thread: the event loop.

#include "meshd/translate.hpp"

namespace nuropb::meshd {

class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  /// Once for each request.
  virtual void respond(Returned&& response) = 0;
};

}  // namespace nuropb::meshd
