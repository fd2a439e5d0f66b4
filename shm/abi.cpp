#include "shm/layout.hpp"

namespace nuropb::shm {

const std::uint32_t abi = 9;

}  // namespace nuropb::shm
