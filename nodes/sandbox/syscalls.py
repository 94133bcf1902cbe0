"""The numbers of system calls that sandboxes deny or look into, by machine (Linux, include/uapi and arch tables)."""

#: What the kernel says of a call's ABI.
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

#: Since 2019 a new call has the same number everywhere.
_EVERYWHERE = """
    io_uring_setup 425 io_uring_enter 426 io_uring_register 427 open_tree 428 move_mount 429 fsopen 430 fsconfig 431
    fsmount 432 fspick 433 clone3 435 pidfd_getfd 438 process_madvise 440 mount_setattr 442 quotactl_fd 443
    memfd_secret 447 fchmodat2 452 statmount 457 listmount 458 setxattrat 463 removexattrat 466 open_tree_attr 467
    file_setattr 469
"""
_X86_64 = """
    ioctl 16 shmget 29 socket 41 socketpair 53 clone 56 semget 64 msgget 68 ptrace 101 syslog 103 uselib 134
    personality 135 ustat 136 sysfs 139 vhangup 153 modify_ldt 154 pivot_root 155 adjtimex 159 chroot 161 acct 163
    settimeofday 164 mount 165 umount2 166 swapon 167 swapoff 168 reboot 169 sethostname 170 setdomainname 171 iopl 172
    ioperm 173 init_module 175 delete_module 176 quotactl 179 lookup_dcookie 212 clock_settime 227 kexec_load 246
    add_key 248 request_key 249 keyctl 250 migrate_pages 256 unshare 272 move_pages 279 perf_event_open 298
    fanotify_init 300 name_to_handle_at 303 open_by_handle_at 304 clock_adjtime 305 setns 308 process_vm_readv 310
    process_vm_writev 311 kcmp 312 finit_module 313 memfd_create 319 kexec_file_load 320 bpf 321 userfaultfd 323
    connect 42 chmod 90 fchmod 91 chown 92 fchown 93 lchown 94 utime 132 setpriority 141 sched_setparam 142
    sched_setscheduler 144 setxattr 188 lsetxattr 189 fsetxattr 190 removexattr 197 lremovexattr 198 fremovexattr 199
    sched_setaffinity 203 utimes 235 mq_open 240 ioprio_set 251 fchownat 260 futimesat 261 fchmodat 268 utimensat 280
    prlimit64 302 sched_setattr 314
"""
_AARCH64 = """
    lookup_dcookie 18 ioctl 29 umount2 39 mount 40 pivot_root 41 chroot 51 vhangup 58 quotactl 60 acct 89
    personality 92 unshare 97 kexec_load 104 init_module 105 delete_module 106 clock_settime 112 syslog 116 ptrace 117
    reboot 142 sethostname 161 setdomainname 162 settimeofday 170 adjtimex 171 msgget 186 semget 190 shmget 194
    socket 198 socketpair 199 add_key 217 request_key 218 keyctl 219 clone 220 swapon 224 swapoff 225 migrate_pages 238
    move_pages 239 perf_event_open 241 fanotify_init 262 name_to_handle_at 264 open_by_handle_at 265 clock_adjtime 266
    setns 268 process_vm_readv 270 process_vm_writev 271 kcmp 272 finit_module 273 memfd_create 279 bpf 280
    userfaultfd 282 kexec_file_load 294 setxattr 5 lsetxattr 6 fsetxattr 7 removexattr 14 lremovexattr 15
    fremovexattr 16 ioprio_set 30 fchmod 52 fchmodat 53 fchownat 54 fchown 55 utimensat 88 sched_setparam 118
    sched_setscheduler 119 sched_setaffinity 122 setpriority 140 mq_open 180 connect 203 prlimit64 261
    sched_setattr 274
"""


def _numbers(table: str) -> dict[str, int]:
    words = f"{table} {_EVERYWHERE}".split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


NUMBERS = {"x86_64": _numbers(_X86_64), "aarch64": _numbers(_AARCH64)}
