#pragma once
// Addresses of the servers that are asked over HTTP. They are read in common/, so that the settings are checked by the same code.

#include "common/http_url.hpp"
