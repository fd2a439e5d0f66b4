#pragma once
// The check of loaded settings for the whole gateway: it opens what meshd and the edges open when they start, makes and changes
// nothing, and connects to nothing.

#include "common/config.hpp"

namespace nuropb::meshd {

/// Every finding, in the order of the settings' sections. It may be called by another user than meshd's, who then is told which files
/// that user can't read.
ConfigFindings check_gateway(const Config& config);

}  // namespace nuropb::meshd
