# Shared by the scripts: sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "this needs root: run it as root, or install sudo"
    fi
}

# packages SECTION...: the names that script/packages lists for these uses
packages() {
    local wanted=" $* " section=""
    while read -r line; do
        case $line in
        "# "*:*) section=${line#\# }; section=${section%%:*} ;;
        "#"* | "") ;;
        *) case $wanted in *" $section "*) printf '%s\n' $line ;; esac ;;
        esac
    done <"$root/script/packages" | sort -u
}

# install SECTION...: what is not there yet; silent and quick when nothing is missing
install() {
    local missing=() name
    for name in $(packages "$@"); do
        # A program that is there by other means (another Node.js, say) is as good as its package.
        case $name in nodejs) command -v node >/dev/null && continue ;; npm) command -v npm >/dev/null && continue ;; esac
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

# build DIR MESON-OPTION...: sets up once, then builds what has changed
build() {
    local dir=$root/$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$root" "$@" >&2
    ninja -C "$dir" >&2
}
