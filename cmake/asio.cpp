// What Asio and Beast have beside their templates, for the library nuropb_asio (cmake/compile_time.cmake).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
