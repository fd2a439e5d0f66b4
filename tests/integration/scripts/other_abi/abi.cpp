// Linked in place of shm/abi.cpp: a process as the next release might be, whose rings nobody of this one understands.

#include "shm/layout.hpp"

namespace nuropb::shm {

const std::uint32_t abi = 99'999;

}  // namespace nuropb::shm
