#pragma once
// nuropb-ctl top: shows the status repeatedly until q, Ctrl-C or the end of the output.

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {

struct Top {
  double interval_s = 1;
  bool once = false;        ///< a single screen, after one interval
  std::uint64_t count = 0;  ///< number of screens; 0: unlimited
};
int top(const Invocation& invocation, const Top& options);

}  // namespace nuropb::ctl
