#pragma once
// Addresses of brokers. They are read in common/, so that the settings are checked by the same code.

#include "common/amqp_url.hpp"
