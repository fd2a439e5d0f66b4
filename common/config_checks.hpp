#pragma once
// Checks of single keys (ConfigKey::check). Each returns what is wrong with the value, or nothing.

#include <optional>
#include <string>
#include <string_view>

#include "common/config_keys.hpp"

namespace nuropb::config_checks {

std::optional<std::string> power_of_two(const ConfigValue& v);
std::optional<std::string> not_empty(const ConfigValue& v);
std::optional<std::string> service_name(const ConfigValue& v);
std::optional<std::string> instance_id(const ConfigValue& v);
std::optional<std::string> exchange_name(const ConfigValue& v);
std::optional<std::string> absolute_path(const ConfigValue& v);
std::optional<std::string> absolute_path_or_empty(const ConfigValue& v);
std::optional<std::string> broker_urls(const ConfigValue& v);
std::optional<std::string> etcd_urls(const ConfigValue& v);
std::optional<std::string> base_url_or_empty(const ConfigValue& v);
std::optional<std::string> etcd_prefix(const ConfigValue& v);
std::optional<std::string> queue_rules(const ConfigValue& v);
std::optional<std::string> authorizer_names(const ConfigValue& v);
std::optional<std::string> jwt_algorithms(const ConfigValue& v);
std::optional<std::string> plain_http_url(const ConfigValue& v);
std::optional<std::string> address_blocks(const ConfigValue& v);
std::optional<std::string> origins(const ConfigValue& v);
std::optional<std::string> ip_address(const ConfigValue& v);
std::optional<std::string> host_names(const ConfigValue& v);
std::optional<std::string> ip_and_port_or_empty(const ConfigValue& v);
std::optional<std::string> ratio(const ConfigValue& v);

}  // namespace nuropb::config_checks
