#pragma once
// The times that the work at hand is measured by. The clock is read once for a batch and not once for a message.

#include "common/clock.hpp"

namespace nuropb::meshd {

struct BatchTimes {
  SteadyTime batch{};    ///< when the batch at hand began: records of one ring, or events of the mesh
  SteadyTime reading{};  ///< when the reading of the ring at hand began: every record read in it was there by then
};

}  // namespace nuropb::meshd
