#include "shm/layout.hpp"

namespace nuropb::shm {

const std::uint32_t abi = 5;

}  // namespace nuropb::shm
