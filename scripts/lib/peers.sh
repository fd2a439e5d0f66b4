# Sourced, after progress.sh and from the root of the tree, by scripts that need the peers: third-party programs that tests and benchmarks
# install from PyPI (listed in tests/peers.txt) into a virtual environment.
# shellcheck shell=bash

peers_folder=$PWD/build/peers-venv

# The peers need a Python older than this, as nuropb 0.1.8 and nuropb-gw 0.1.4 require.
peers_python_below=3.12

# peers_venv LOG: creates build/peers-venv unless it exists. A complete venv records the list that it was made from; one that is incomplete,
# or was made from another list, is recreated. Fails if PyPI is unreachable.
peers_venv() {
  local log=$1
  ! cmp --silent tests/peers.txt "$peers_folder/complete" || return 0
  rm -rf "$peers_folder"
  printf '\n== %s\n' "the real peers from PyPI"
  peers_python "$log" &&
    patiently "the peers" "$log" peers_pip --requirement tests/peers.txt &&
    patiently "more of them" "$log" peers_without_dependencies &&
    patiently "versions of their own" "$log" peers_in_folders ||
    { tail -n 5 "$log"; return 1; }
  cp tests/peers.txt "$peers_folder/complete"
}

# peers_python LOG: a venv with the machine's Python, or, if that is too new, with Debian 12's.
peers_python() {
  local root
  if [ -z "${NUROPB_PEERS_ROOT:-}" ] && python_is_below "$peers_python_below"; then
    patiently "a venv" "$1" /usr/bin/python3 -m venv "$peers_folder"
  else
    root=${NUROPB_PEERS_ROOT:-$(scripts/debian-root bookworm --with python3-venv)} &&
      patiently "a venv with Debian 12's Python" "$1" peers_venv_in_root "$root"
  fi
}

python_is_below() { /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info[:2] >= tuple(map(int, sys.argv[1].split("."))))' "$1"; }

# peers_venv_in_root ROOT: a venv whose Python is that of a root folder of another release. It runs as a process of this machine, with the
# other release's C library and loader, so programs of both can use the same sockets and files. The machine's pip installs into it, because
# the other release's ensurepip searches its wheels in /usr/share.
peers_venv_in_root() {
  local root=$1 python libraries
  python=$(basename "$(readlink "$root/usr/bin/python3")")
  libraries=$root/usr/lib/$(uname -m)-linux-gnu
  mkdir -p "$peers_folder/bin" "$peers_folder/lib/$python/site-packages"
  printf 'home = %s\ninclude-system-site-packages = false\n' "$root/usr/bin" >"$peers_folder/pyvenv.cfg"
  # --argv0 makes it identify itself as the Python of this venv; so do the scripts that pip writes, and sys.executable.
  cat >"$peers_folder/bin/python" <<SCRIPT
#!/bin/sh
exec "$(echo "$libraries"/ld-linux-*.so.*)" --argv0 "$peers_folder/bin/python" \\
  --library-path "$libraries:$root/usr/lib" "$root/usr/bin/$python" "\$@"
SCRIPT
  chmod 755 "$peers_folder/bin/python"
  ln -s python "$peers_folder/bin/python3"
  /usr/bin/python3 -m venv "$peers_folder/pip" &&
    printf '#!/bin/sh\nexec "%s" --python "%s" "$@"\n' "$peers_folder/pip/bin/pip" "$peers_folder/bin/python" >"$peers_folder/bin/pip" &&
    chmod 755 "$peers_folder/bin/pip"
}

peers_pip() { "$peers_folder/bin/pip" install --disable-pip-version-check --retries 2 "$@"; }

# Lines "#: PACKAGE".
peers_without_dependencies() {
  local packages
  mapfile -t packages < <(sed -n 's/^#: //p' tests/peers.txt)
  [ ${#packages[@]} -eq 0 ] || peers_pip --no-deps "${packages[@]}"
}

# Lines "#> FOLDER PACKAGE...".
peers_in_folders() {
  local words
  while read -r -a words; do
    peers_pip --target "$peers_folder/${words[0]}" "${words[@]:1}" || return 1
  done < <(sed -n 's/^#> //p' tests/peers.txt)
}
