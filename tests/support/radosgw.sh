#!/usr/bin/env bash
# A real S3 service for the tests: Ceph's radosgw with a monitor and one in-memory OSD, on loopback alone, as a user without rights.
#
#   radosgw.sh start DIR     DIR is made; DIR/env then says where it is and with which keys; about 15 s
#   radosgw.sh stop DIR      ends its processes and removes DIR
#
# Exit status 77: the packages are not here (radosgw ceph-mon ceph-osd).
set -Eeuo pipefail
die() { echo "radosgw.sh: $1" >&2; exit "${2:-1}"; }
[ $# = 2 ] || die "usage: radosgw.sh start|stop DIR" 2
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool; do
    command -v $program >/dev/null || die "$program is not installed (packages radosgw, ceph-mon, ceph-osd)" 77
done

stop() {
    local name pid
    for name in rgw osd mon; do
        [ -s "$dir/$name.pid" ] || continue
        pid=$(cat "$dir/$name.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 40); do kill -0 "$pid" 2>/dev/null || break; sleep 0.25; done
        kill -9 "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}
if [ "$verb" = stop ]; then stop; exit 0; fi
[ "$verb" = start ] || die "usage: radosgw.sh start|stop DIR" 2

# As root, everything is run as nobody, who needs nothing but this folder.
as=()
if [ "$(id -u)" = 0 ]; then
    chown nobody "$dir"
    as=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "HOME=$dir" "CEPH_CONF=$dir/ceph.conf")
run() { "${as[@]}" "${clean[@]}" "$@"; }
# Three ports below those that the system gives to whoever asks for any: nothing else takes one before Ceph does.
read -r mon port tls_port < <(/usr/bin/python3 - <<'PY'
import random, socket
lowest = int(open('/proc/sys/net/ipv4/ip_local_port_range').read().split()[0])
sockets = []
for port in random.sample(range(lowest // 2, lowest), 200):
    s = socket.socket()
    try:
        s.bind(('127.0.0.1', port))
        sockets.append(s)
    except OSError:
        pass
    if len(sockets) == 3:
        break
print(*(s.getsockname()[1] for s in sockets))
PY
)
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
access=FACEGATE$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n' | tr a-f A-F)
secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
frontends="beast endpoint=127.0.0.1:$port"
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=localhost" \
        -addext "subjectAltName=DNS:localhost,DNS:faces.localhost,IP:127.0.0.1" -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null
    cat "$dir/key.pem" "$dir/ca.pem" >"$dir/server.pem"
    chmod 644 "$dir/server.pem"
    frontends="$frontends ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$dir/server.pem"
fi
cat >"$dir/ceph.conf" <<END
[global]
fsid = $fsid
mon_initial_members = a
mon_host = v2:127.0.0.1:$mon/0
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = false
run_dir = $dir
admin_socket = $dir/\$name.\$pid.asok
pid_file =
log_file = $dir/\$name.log
log_to_stderr = false
err_to_stderr = false
mon_data = $dir/mon
mon_cluster_log_to_file = false
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 1
osd_data = $dir/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
osd_max_object_name_len = 256
osd_max_object_namespace_len = 64
[client.rgw]
rgw_frontends = $frontends
ms_mon_client_mode = crc
rgw_dns_name = localhost
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_gc_obj_min_wait = 1
rgw_thread_pool_size = 32
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
END
trap 'echo "radosgw.sh: did not start:" >&2; tail -n 5 "$dir"/*.log "$dir"/*.out >&2 || true; stop' ERR

run monmaptool --create --fsid "$fsid" --addv a "v2:127.0.0.1:$mon/0" "$dir/monmap" >/dev/null
run ceph-mon --mkfs -i a --monmap "$dir/monmap" >/dev/null 2>&1
start() { # name program...: in the background, with its process id kept
    local name=$1
    shift
    (exec "${as[@]}" "${clean[@]}" setsid "$@" >"$dir/$name.out" 2>&1 </dev/null) &
    echo $! >"$dir/$name.pid"
}
wait_for() { # name command...: until it succeeds, while the process lives
    local name=$1
    shift
    for _ in $(seq 600); do
        if "$@"; then return; fi
        kill -0 "$(cat "$dir/$name.pid")" || return 1
        sleep 0.2
    done
    return 1
}
start mon ceph-mon -f -i a
wait_for mon run timeout 30 ceph --connect-timeout 20 mon stat >/dev/null 2>&1
run timeout 120 ceph osd new "$osd" >/dev/null
run mkdir "$dir/osd"
run ceph-osd --mkfs -i 0 --osd-uuid "$osd" >/dev/null 2>&1
run timeout 120 ceph osd crush add osd.0 1.0 host=here root=default >/dev/null 2>&1
start osd ceph-osd -f -i 0
start rgw radosgw -f -n client.rgw
run timeout 120 radosgw-admin -n client.rgw user create --uid=facegate --display-name=facegate \
    --access-key="$access" --secret="$secret" >/dev/null 2>"$dir/admin.out"
wait_for rgw curl -sf -o /dev/null --max-time 30 "http://127.0.0.1:$port/"
cat >"$dir/env" <<END
export AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true
S3_ENDPOINT=http://127.0.0.1:$port S3_VIRTUAL=http://localhost:$port S3_TLS=https://localhost:$tls_port S3_CA=$dir/ca.pem
END
