// Only here so that a target exists which owns the precompiled header (cmake/compile_time.cmake).
