#pragma once
// Addresses of HTTP servers that the gateway contacts. The parser is in common/, so that the checks of the settings use
// the same code.

#include "common/http_url.hpp"
