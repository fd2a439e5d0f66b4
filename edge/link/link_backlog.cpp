#include "edge/link/link_backlog.hpp"

namespace nuropb::edge {

void LinkBacklog::drain() {
  for (std::deque<Write>& lane : lanes_) {
    for (; !lane.empty(); lane.pop_front()) {
      if (!lane.front()()) return;
    }
  }
}

void LinkBacklog::on_lost() {
  for (std::size_t i = 1; i < lanes_.size(); ++i) lanes_[i].clear();
  drain();
}

}  // namespace nuropb::edge
