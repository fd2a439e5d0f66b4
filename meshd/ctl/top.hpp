#pragma once
// nuropb-ctl top: the figures, again and again, until q, Ctrl-C or the end of the output.

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {

struct Top {
  double interval_s = 1;
  bool once = false;        ///< one screen, over one interval
  std::uint64_t count = 0;  ///< so many screens; 0: without end
};
int top(const Invocation& invocation, const Top& options);

}  // namespace nuropb::ctl
