#pragma once
// Addresses of brokers. The parser is in common/, so that the checks of the settings use the same code.

#include "common/amqp_url.hpp"
