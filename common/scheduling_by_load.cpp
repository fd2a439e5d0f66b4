#include "common/scheduling_by_load.hpp"

#include <sched.h>

namespace nuropb {

SchedulingByLoad::SchedulingByLoad(const Clock& clock)
    : clock_(clock), usual_(::sched_getscheduler(0) == SCHED_OTHER), since_(clock.now()) {}

void SchedulingByLoad::tick() {
  if (clock_.now() - since_ > calm) look();
}

void SchedulingByLoad::look() {
  const SteadyTime now = clock_.now();
  const auto lasted = now - since_;
  if (handled_ >= window && lasted < busy) become(true);
  else if (handled_ < window || lasted > calm) become(false);
  handled_ = 0;
  since_ = now;
}

void SchedulingByLoad::become(bool batch) {
  if (!usual_ || batch == batch_) return;
  batch_ = batch;
  const sched_param none{};
  // Without the permission the policy stays as it is, which only costs throughput.
  (void)::sched_setscheduler(0, batch ? SCHED_BATCH : SCHED_OTHER, &none);
}

}  // namespace nuropb
