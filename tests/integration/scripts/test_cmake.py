"""The tree configures and builds with plain CMake, as packagers and IDEs do it, and as a part of another project, to which it does
nothing. Configuration alone, and the smallest targets."""

import json
import os
import shutil
import subprocess

import pytest

from support.paths import ROOT

PARENT = """
cmake_minimum_required(VERSION 3.25)
project(parent LANGUAGES CXX)
function(all_of prefix)
  foreach(name CMAKE_BUILD_TYPE CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_RELEASE CMAKE_CXX_STANDARD CMAKE_CXX_COMPILER_LAUNCHER CMAKE_EXPORT_COMPILE_COMMANDS
      CMAKE_RUNTIME_OUTPUT_DIRECTORY CMAKE_LIBRARY_OUTPUT_DIRECTORY CPACK_PACKAGE_NAME BUILD_SHARED_LIBS)
    list(APPEND found "${name}=${${name}}")
  endforeach()
  foreach(name COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_OPTIONS INCLUDE_DIRECTORIES TESTS)
    get_directory_property(value ${name})
    list(APPEND found "${name}=${value}")
  endforeach()
  set(${prefix} "${found}" PARENT_SCOPE)
endfunction()
all_of(before)
add_subdirectory(TREE nuropb)
all_of(after)
if(NOT "${before}" STREQUAL "${after}")
  message(FATAL_ERROR "changed:\\n${before}\\n${after}")
endif()
foreach(target tests_unit bench_ring package_contents)
  if(TARGET ${target})
    file(APPEND ${CMAKE_BINARY_DIR}/targets "${target}\\n")
  endif()
endforeach()
add_executable(caller main.cpp)
target_link_libraries(caller PRIVATE nuropb::mesh)
add_executable(small main.cpp)
target_link_libraries(small PRIVATE nuropb_options)
"""


def said(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CMAKE_")}
    done = subprocess.run([str(word) for word in words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200, **more)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def configure(source, build, *options):
    said("cmake", "-S", source, "-B", build, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options)
    return build


def cached(build):
    lines = (build / "CMakeCache.txt").read_text().splitlines()
    return {line.split(":", 1)[0]: line.split("=", 1)[1] for line in lines if ":" in line.split("=")[0] and not line.startswith(("#", "//"))}


def commands(build):
    """{file: how it is compiled}"""
    return {entry["file"]: entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())}


def copied(folder, name):
    tree = folder / name
    for file in subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if file and (ROOT / file).exists():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, tree / file)
    return tree


@pytest.fixture
def parent(folder):
    (folder / "parent").mkdir()
    (folder / "parent" / "CMakeLists.txt").write_text(PARENT.replace("TREE", f'"{ROOT}"'))
    (folder / "parent" / "main.cpp").write_text('#include "common/close_codes.hpp"\nint main(int argc, char**) {\n  int unused;\n  return 0;\n}\n')
    return folder / "parent"


@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja", "Ninja Multi-Config"])
def test_without_a_preset(folder, generator):
    build = configure(ROOT, folder / "build", "-G", generator)
    values = cached(build)
    assert (values["NUROPB_TESTS"], values["NUROPB_BENCH"], values["NUROPB_INSTALL"]) == ("ON", "ON", "ON")
    several = generator == "Ninja Multi-Config"
    assert several or values["CMAKE_BUILD_TYPE"] == "Release"
    said("cmake", "--build", build, *(["--config", "Release"] * several), "--target", "bench_second_life")
    assert (build / "bin" / ("Release" if several else "") / "bench_second_life.so").exists(), "beside the programs that load it"


@pytest.mark.parametrize("tests", ["ON", "OFF"])
@pytest.mark.parametrize("bench", ["ON", "OFF"])
def test_with_and_without_tests_and_benchmarks(folder, tests, bench):
    build = configure(ROOT, folder / "build", f"-DNUROPB_TESTS={tests}", f"-DNUROPB_BENCH={bench}")
    targets = said("cmake", "--build", build, "--target", "help")
    assert ("tests_unit" in targets) == (tests == "ON") and ("bench_ring" in targets) == (bench == "ON") and "nuropb-meshd" in targets
    if bench == "ON":
        said("cmake", "--build", build, "--target", "bench_second_life")


def test_what_is_named_on_the_command_line_counts(folder):
    usual = commands(configure(ROOT, folder / "usual", "-DNUROPB_TESTS=OFF", "-DNUROPB_BENCH=OFF"))
    meshd = str(ROOT / "meshd" / "main.cpp")
    assert "-O2 -g1 -DNDEBUG" in usual[meshd] and "-Wshadow" in usual[meshd]
    other = configure(ROOT, folder / "other", "-DNUROPB_TESTS=OFF", "-DNUROPB_BENCH=OFF", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DOWN", "-DCMAKE_CXX_COMPILER_LAUNCHER=", "-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=" + str(folder / "programs"))
    command = commands(other)[meshd]
    assert "-O1 -DOWN" in command and "-O2" not in command and "ccache" not in command and "-fpch-preprocess" not in command
    debug = commands(configure(ROOT, folder / "debug", "-DNUROPB_TESTS=OFF", "-DNUROPB_BENCH=OFF", "-DCMAKE_BUILD_TYPE=Debug"))[meshd]
    assert "-O2" not in debug and "-DNDEBUG" not in debug


def test_in_a_folder_whose_name_is_a_pattern(folder):
    tree = copied(folder, "c++.(1)")
    build = configure(tree, folder / "build", "-DNUROPB_TESTS=OFF")
    assert "-Wshadow" in commands(build)[str(tree / "meshd" / "main.cpp")]
    said("cmake", "--build", build, "--target", "bench_second_life")


@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_as_a_part_of_another_project(folder, parent, generator):
    """PARENT itself compares what it has before and after."""
    build = configure(parent, folder / "build", "-G", generator)
    values = cached(build)
    assert (values["NUROPB_TESTS"], values["NUROPB_BENCH"], values["NUROPB_INSTALL"], values["CMAKE_BUILD_TYPE"]) == ("OFF", "OFF", "OFF", "")
    assert not (build / "targets").exists() and not list(build.rglob("CPackConfig.cmake")) and not list(build.rglob("CTestTestfile.cmake"))
    found = commands(build)
    own = [entry["command"] for entry in json.loads((build / "compile_commands.json").read_text()) if entry["file"] == str(parent / "main.cpp")]
    assert len(own) == 2 and all(f"{ROOT}" in command for command in own)
    for command in own:
        assert "-W" not in command and "-O2" not in command and "-fpch-preprocess" not in command, "the parent's own warnings and flags"
    assert "-Wshadow" in found[str(ROOT / "shm" / "ring.cpp")]
    said("cmake", "--build", build, "--target", "small")
    assert "nothing" in said("sh", "-c", f"cmake --install {build} --prefix {folder}/installed >/dev/null; ls {folder}/installed 2>/dev/null || echo nothing")


def test_as_a_part_with_all_that_it_has(folder, parent):
    build = configure(parent, folder / "build", "-DNUROPB_TESTS=ON", "-DNUROPB_BENCH=ON", "-DNUROPB_INSTALL=ON", "-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=" + str(folder / "programs"))
    assert (build / "targets").read_text().split() == ["tests_unit", "bench_ring"], "and no package of its own"
    said("cmake", "--build", build, "--target", "bench_second_life")
    assert (folder / "programs" / "bench_second_life.so").exists(), "where the parent wants programs"
