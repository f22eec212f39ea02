# Sourced before a build: compiled objects are shared between build directories and clones, where ccache is.
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR=$repository CCACHE_NOHASHDIR=1
fi
