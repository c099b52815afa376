#!/bin/sh
# otp_matrix.sh - Erlang/OTP and Elixir of several releases beside each other, straight from Debian, without
# installing anything on this machine.
#
#   interop/otp_matrix.sh [-f] [-d DIR] [NN ...]      NN: 23 25 27 29 (all of them when none is named)
#
# For each NN it makes DIR/NN/bin/{erl,erlc,escript,epmd,iex,elixir,elixirc,mix}. If NN is the release of the
# machine's own erl and iex, those are used; else DIR/NN/root becomes a bare Debian tree with that release.
# DIR is $OTPNODE_OTP_DIR, else otpnode/otp in $XDG_CACHE_HOME (~/.cache). A tree that answers is left alone
# (-f makes it anew). Needs no root. One line on stdout for each release; all else goes to DIR/NN.log.
#
# How a command of a tree runs: in a private mount namespace (unshare -m; as a user unshare -rm) that binds
# /proc /dev /tmp, the current folder and what $OTP_BIND names into the tree, then chroot. So the process id is
# that of the command, the network is the machine's, and no mount outlives the process. Where namespaces are
# refused the tree is run in place (its own libraries, the machine's C library).
set -eu

say() { echo "otp_matrix: $*" >&2; }
force=
DIR=${OTPNODE_OTP_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/otpnode/otp}
while getopts fd: option; do
  case $option in
    f) force=1 ;;
    d) DIR=$OPTARG ;;
    *) sed -n 5p "$0" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- 23 25 27 29
mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)

PACKAGES="erlang-base erlang-crypto erlang-asn1 erlang-public-key erlang-ssl erlang-inets erlang-runtime-tools
 erlang-tools erlang-parsetools elixir dash coreutils sed libc-bin ncurses-base"
COMMANDS="erl erlc escript epmd iex elixir elixirc mix"
PROBE='R = erlang:system_info(otp_release), F = filename:join([code:root_dir(), "releases", R, "OTP_VERSION"]),
 V = case file:read_file(F) of {ok, B} -> string:trim(B); _ -> R end, io:format("~s|~s", [R, V]), halt().'

suite() {
  case $1 in
    23) echo bullseye ;;
    25) echo bookworm ;;
    27) echo trixie ;;
    29) echo forky ;;
    *) return 1 ;;
  esac
}

# What a release's erl says of itself: RELEASE|VERSION, or nothing. Elixir must answer as well.
probe() { # $1 = a folder with erl and elixir
  said=$("$1/erl" -noinput -boot start_clean -eval "$PROBE" </dev/null 2>/dev/null) || return 0
  elixir=$(PATH="$1:$PATH" "$1/elixir" -e 'IO.puts(System.version())' </dev/null 2>/dev/null) || return 0
  echo "$said, Elixir $elixir"
}

# The folder of the machine's own erl and iex.
own() {
  erl=$(command -v erl) && command -v iex >/dev/null || return 0
  dirname "$erl"
}

# The Debian mirror of this machine, from its apt sources; works before any `apt-get update`, and as a user.
mirror() {
  [ -z "${MIRROR:-}" ] || { echo "${MIRROR%/}"; return; }
  apt-get update --print-uris 2>/dev/null | sed -n "s,^'\(.*\)/dists/.*,\1,p" | grep -v security | grep '/debian$' | head -n 1
}

# --- wrappers: how a command of a tree is run ------------------------------------------------------------------

wrap_own() { # $1 = DIR/NN, $2 = the folder of the machine's own erl
  mkdir -p "$1/bin"
  for c in $COMMANDS; do
    printf '#!/bin/sh\nexec %s/%s "$@"\n' "$2" "$c" >"$1/bin/$c"
    chmod 755 "$1/bin/$c"
  done
  ln -sf "$2/mix" "$1/bin/mix" # an Elixir script: iex -S mix finds it on PATH and reads it
}

wrap_namespace() { # $1 = DIR/NN
  mkdir -p "$1/bin"
  for c in $COMMANDS; do
    {
      printf '#!/bin/sh\n# made by otp_matrix.sh\nR=%s C=/usr/bin/%s\n' "$1/root" "$c"
      cat <<'WRAPPER'
u=-m; [ "$(id -u)" = 0 ] || u=-rm
B="/proc /dev /tmp ${OTP_BIND:-}"
case $PWD/ in /tmp/*|/) ;; *) B="$B $PWD" ;; esac
W=$PWD
export LANG="${LANG:-C.UTF-8}" R B C W
exec unshare $u --propagation private /bin/sh -c 'PATH=$PATH:/usr/sbin:/sbin
  for d in $B; do [ -e "$d" ] || continue; mkdir -p "$R$d" && mount --rbind "$d" "$R$d" || exit 125; done
  exec chroot "$R" /bin/sh -c "cd \"\$W\" 2>/dev/null || cd /; c=\$C; unset R B C W; PATH=/usr/bin:/bin; exec \"\$c\" \"\$@\"" sh "$@"' sh "$@"
WRAPPER
    } >"$1/bin/$c"
    chmod 755 "$1/bin/$c"
  done
}

# In place: the libraries of the tree except those of the C library itself, which must fit the machine's loader.
wrap_in_place() { # $1 = DIR/NN
  mkdir -p "$1/bin" "$1/lib"
  for f in "$1"/root/usr/lib/*/lib*.so.*; do
    case ${f##*/} in
      libc.so.*|libm.so.*|libpthread.so.*|libdl.so.*|librt.so.*|libresolv.so.*|libutil.so.*|libnss_*) continue ;;
      libanl.so.*|libmvec.so.*|libthread_db.so.*|libnsl.so.*|libBrokenLocale.so.*|libpcprofile.so) continue ;;
    esac
    ln -sf "$f" "$1/lib/"
  done
  erlang=$1/root/usr/lib/erlang
  erts=$(echo "$erlang"/erts-*/bin)
  for c in $COMMANDS; do
    case $c in
      erl) run="$erts/erlexec" ;;
      erlc|escript|epmd) run="$erts/$c" ;;
      *) run="/bin/sh $1/root/usr/lib/elixir/bin/$c" ;;
    esac
    cat >"$1/bin/$c" <<WRAPPER
#!/bin/sh
# made by otp_matrix.sh
export LANG="\${LANG:-C.UTF-8}" LD_LIBRARY_PATH=$1/lib PATH="$1/bin:\$PATH"
export ROOTDIR=$erlang BINDIR=$erts EMU=beam PROGNAME=erl ESCRIPT_EMULATOR=$1/bin/erl ERLC_EMULATOR=$1/bin/erl
exec $run "\$@"
WRAPPER
    chmod 755 "$1/bin/$c"
  done
  ln -sf "$1/root/usr/lib/elixir/bin/mix" "$1/bin/mix"
}

# --- a tree ----------------------------------------------------------------------------------------------------

download() { # $1 = a folder for apt, $2 = suite, $3 = mirror
  keys=/usr/share/keyrings/debian-archive-keyring
  for k in "$keys.gpg" "$keys.pgp"; do [ ! -e "$k" ] || break; done
  mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial" "$1/etc/none" "$1/etc/preferences.d"
  : >"$1/state/status" # apt believes that nothing at all is installed, so it resolves the whole closure
  echo "deb [signed-by=$k] $3 $2 main" >"$1/etc/sources.list"
  {
    apt-config dump | grep -E '^Acquire::(http|https|ftp|socks|tor)' || : # the machine's proxies
    cat <<CONF
Dir::State "$1/state";
Dir::State::status "$1/state/status";
Dir::Cache "$1/cache";
Dir::Etc "$1/etc";
Dir::Etc::sourcelist "$1/etc/sources.list";
Dir::Etc::sourceparts "$1/etc/none";
Dir::Etc::parts "$1/etc/none";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
APT::Architecture "$(dpkg --print-architecture)";
APT::Architectures "$(dpkg --print-architecture)";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Keep-Downloaded-Packages "true";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
CONF
  } >"$1/apt.conf"
  export APT_CONFIG="$1/apt.conf"
  # shellcheck disable=SC2086
  apt-get update -qq && apt-get install -qq -y --download-only --no-install-recommends $PACKAGES
}

unpack() { # $1 = the folder of the packages, $2 = the root to be
  # a merged /usr, made by hand: older suites leave that to the installer
  mkdir -p "$2/usr/bin" "$2/usr/sbin" "$2/usr/lib" "$2/usr/lib64" "$2/proc" "$2/dev" "$2/tmp" "$2/root" "$2/etc"
  for d in bin sbin lib lib64; do ln -s "usr/$d" "$2/$d"; done
  for deb in "$1"/*.deb; do
    case ${deb##*/} in # packages that nothing here needs at run time
      adduser_*|passwd_*|debconf_*|init-system-helpers_*|libpam*|base-passwd_*|login*|perl*|libperl*) continue ;;
    esac
    dpkg-deb --fsys-tarfile "$deb"
  done | tar -x -i -C "$2" --keep-directory-symlink --no-same-owner --warning=no-timestamp \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
    --exclude='./usr/share/zoneinfo/*' --exclude='./usr/share/lintian/*' --exclude='./usr/share/i18n/*'
  cp /etc/hosts /etc/resolv.conf "$2/etc/" 2>/dev/null || :
  echo 'hosts: files dns' >"$2/etc/nsswitch.conf" # without it older C libraries do not read the former
  echo 'root:x:0:0:root:/root:/bin/sh' >"$2/etc/passwd"
  echo 'root:x:0:' >"$2/etc/group"
}

make_tree() { # $1 = NN
  name=$(suite "$1") || { say "no Debian suite is known for OTP $1 (23, 25, 27 and 29 are)"; return 1; }
  for c in apt-get dpkg-deb tar; do
    command -v $c >/dev/null || {
      say "OTP $1 is not installed (no erl and iex of that release on PATH), and without $c it cannot be fetched." \
        "Install Erlang/OTP $1 with Elixir, or run this on Debian."
      return 1
    }
  done
  from=$(mirror)
  [ -n "$from" ] || { say "no Debian mirror in this machine's apt sources; name one in MIRROR"; return 1; }
  work=$DIR/$1.new
  rm -rf "$work"
  mkdir -p "$work"
  download "$work/apt" "$name" "$from" >"$DIR/$1.log" 2>&1 && unpack "$work/apt/cache/archives" "$work/root" >>"$DIR/$1.log" 2>&1 || {
    rm -rf "$work"
    say "OTP $1 is not installed (no erl and iex of that release on PATH), and fetching it from $from ($name) failed:" \
      "$(grep -m 1 '^E: ' "$DIR/$1.log" || tail -n 1 "$DIR/$1.log") (all of it: $DIR/$1.log)"
    return 1
  }
  rm -rf "$work/apt" "${DIR:?}/$1"
  mv "$work" "$DIR/$1"
}

ready() { # $1 = NN; prints what answers there
  answer=$(probe "$DIR/$1/bin")
  [ "${answer%%|*}" = "$1" ] && echo "$answer"
}

one() { # $1 = NN
  T=$DIR/$1
  if [ -z "$force" ] && [ -x "$T/bin/erl" ] && said=$(ready "$1"); then
    echo "otp $1: ready ($said)"
    return
  fi
  t0=$(date +%s)
  bin=$(own)
  if [ -n "$bin" ] && said=$(probe "$bin") && [ "${said%%|*}" = "$1" ]; then
    rm -rf "$T"
    wrap_own "$T" "$bin"
    echo "otp $1: the machine's own ($said)"
    return
  fi
  [ -z "$force" ] && [ -x "$T/root/usr/bin/erl" ] || make_tree "$1" || return 1
  why=
  for how in namespace in_place; do
    rm -rf "$T/bin" "$T/lib"
    wrap_$how "$T"
    if said=$(ready "$1"); then
      echo "otp $1: made from $(suite "$1") in $(($(date +%s) - t0)) s, run in $(echo $how | sed "s,in_,,") ($said)"
      return
    fi
    why="$why; $(echo $how | sed "s,_, ,"): $("$T/bin/erl" -noinput -boot start_clean -eval 'halt().' 2>&1 </dev/null | tail -n 1)"
  done
  rm -rf "$T/bin"
  say "OTP $1 is in $T/root but cannot be run, neither in a mount namespace nor in place${why}. Allow one: run as root" \
    "with CAP_SYS_ADMIN, or permit unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1," \
    "user.max_user_namespaces), or install Erlang/OTP $1 with Elixir."
  return 1
}

status=0
for release in "$@"; do
  exec 9>"$DIR/$release.lock"
  ! command -v flock >/dev/null || flock 9
  one "$release" 9>&- || status=1
done
exit $status
