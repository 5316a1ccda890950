/** The system calls of the dual-width kernel: the part of Linux's that a static shell asks for (asm-generic/unistd.h). */

/** Numbers and handlers, which get X0 to X5 of the caller and return X0; other numbers give -ENOSYS. */
// deno-fmt-ignore
const CALLS: Readonly<Record<string, readonly number[]>> = {
  sys_getcwd: [17], sys_fcntl: [25], sys_ioctl: [29], sys_openat: [56], sys_faccessat: [48, 439], sys_close: [57], sys_lseek: [62],
  sys_read: [63], sys_write: [64], sys_writev: [66], sys_readlinkat: [78], sys_newfstatat: [79], sys_fstat: [80],
  sys_exit: [93, 94], sys_getpid: [96, 172, 178], sys_zero: [99, 174, 175, 176, 177], sys_sched_yield: [124],
  sys_kill: [129], sys_tgkill: [131], sys_rt_sigaction: [134], sys_rt_sigprocmask: [135], sys_rt_sigreturn: [139],
  sys_uname: [160], sys_prctl: [167], sys_getppid: [173], sys_brk: [214], sys_munmap: [215], sys_mmap: [222],
  sys_mprotect: [226], sys_prlimit64: [261], sys_getrandom: [278],
};

const table = Object.entries(CALLS)
  .flatMap(([handler, numbers]) => numbers.map((number) => `        .word ${number}, ${handler} - calls`))
  .join("\n");

/** The table of calls and the simple ones; for `kernelSources`. */
export const SYSTEM_CALLS_SOURCE: string = String.raw`
        .equ    ENOENT, 2
        .equ    ESRCH, 3
        .equ    EBADF, 9
        .equ    ENOMEM, 12
        .equ    EFAULT, 14
        .equ    ENODEV, 19
        .equ    EINVAL, 22
        .equ    ENOTTY, 25
        .equ    ESPIPE, 29
        .equ    ERANGE, 34
        .equ    ENOSYS, 38

// Makes the call that x28 asks for; x0 = its result.
system_call:
        ldr     x8, [x28, #64]
        adr     x9, calls
        adr     x10, calls_end
        mov     x12, x9
1:      ldpsw   x11, x13, [x12], #8
        cmp     x11, x8
        b.eq    2f
        cmp     x12, x10
        b.ne    1b
        mov     x0, #-ENOSYS
        ret
2:      add     x9, x9, x13
        ldp     x0, x1, [x28]
        ldp     x2, x3, [x28, #16]
        ldp     x4, x5, [x28, #32]
        br      x9

        .balign 8
calls:
${table}
calls_end:

sys_zero:
        mov     x0, #0
        ret
sys_getppid:
        mov     x0, #0
        ret
sys_getpid:
        ldr     x0, [x28, #P_PID]
        ret
sys_sched_yield:
        adr     x1, switch_pending
        mov     x0, #1
        str     x0, [x1]
        mov     x0, #0
        ret
sys_exit:
        and     x0, x0, #0xff
// Ends the running process with exit code x0.
end_process:
        mov     x1, #2
        str     x1, [x28, #P_STATE]
        str     x0, [x28, #P_EXIT]
        adr     x1, switch_pending
        mov     x2, #1
        str     x2, [x1]
        ldr     x0, [x28]               // X0 stays as it is
        ret

// There is the console: 0 is its input, without bytes to read; 1 and 2 its output. It is no terminal.
sys_read:
        cbnz    x0, fail_ebadf
        ret
sys_write:
        sub     w3, w0, #1
        cmp     w3, #1
        b.hi    fail_ebadf
        check_user x1, x2
        mov     x3, #0
        adr     x27, 3f
        ldr     x4, =UART
1:      cmp     x3, x2
        b.hs    2f
        ldrb    w5, [x1, x3]
        strb    w5, [x4]
        add     x3, x3, #1
        b       1b
2:      mov     x27, #0
        mov     x0, x3
        ret
3:      cbnz    x3, 2b                  // some were written before the fault
        b       fail_efault
sys_writev:
        stp     x29, x30, [sp, #-64]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        mov     x19, x0
        mov     x20, x1
        mov     x21, x2
        mov     x22, #0
1:      cbz     x21, 3f
        add     x0, sp, #48
        mov     x1, x20
        mov     x2, #16
        bl      copy_from_user
        cbnz    x0, 2f
        mov     x0, x19
        ldp     x1, x2, [sp, #48]
        bl      sys_write
        tbnz    x0, #63, 2f
        add     x22, x22, x0
        ldr     x2, [sp, #56]
        cmp     x0, x2
        b.ne    3f
        add     x20, x20, #16
        sub     x21, x21, #1
        b       1b
2:      cmp     x22, #0
        csel    x22, x22, x0, ne
3:      mov     x0, x22
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x29, x30, [sp], #64
        ret
sys_close:
        cmp     x0, #2
        b.hi    fail_ebadf
        mov     x0, #0
        ret
sys_lseek:
        cmp     x0, #2
        b.hi    fail_ebadf
        mov     x0, #-ESPIPE
        ret
sys_ioctl:
        cmp     x0, #2
        b.hi    fail_ebadf
        mov     x0, #-ENOTTY
        ret
sys_fcntl:
        cmp     x0, #2
        b.hi    fail_ebadf
        sub     x1, x1, #1              // F_GETFD to F_SETFL
        cmp     x1, #3
        b.hi    fail_einval
        mov     x0, #0
        ret
fail_ebadf:
        mov     x0, #-EBADF
        ret
fail_einval:
        mov     x0, #-EINVAL
        ret

// There are no files but the directory "/".
sys_openat:
sys_faccessat:
        mov     x0, #-ENOENT
        ret
sys_getcwd:
        mov     x2, #2
        cmp     x1, x2
        b.lo    1f
        str     x30, [sp, #-16]!
        adr     x1, text_root
        bl      copy_to_user
        ldr     x30, [sp], #16
        cbnz    x0, 2f
        mov     x0, #2
        ret
1:      mov     x0, #-ERANGE
2:      ret
sys_newfstatat:
        stp     x19, x30, [sp, #-16]!
        mov     x19, x2
        mov     x5, x1
        mov     x0, x5
        adr     x1, text_root
        bl      compare_user
        tbnz    x0, #63, 1f
        cbz     x0, 2f
        mov     x0, x5
        adr     x1, text_dot
        bl      compare_user
        tbnz    x0, #63, 1f
        cbz     x0, 2f
        mov     x0, #-ENOENT
1:      ldp     x19, x30, [sp], #16
        ret
2:      mov     x0, x19
        adr     x1, stat_root
        mov     x2, #128
        bl      copy_to_user
        b       1b
sys_fstat:
        cmp     x0, #2
        b.hi    fail_ebadf
        mov     x0, x1
        adr     x1, stat_console
        mov     x2, #128
        b       copy_to_user
sys_readlinkat:
        stp     x19, x30, [sp, #-16]!
        stp     x20, x21, [sp, #-16]!
        mov     x19, x2
        mov     x20, x3
        mov     x0, x1
        adr     x1, text_self
        bl      compare_user
        tbnz    x0, #63, 2f
        cbnz    x0, 1f
        add     x1, x28, #P_NAME
        mov     x2, #0
3:      ldrb    w3, [x1, x2]
        cbz     w3, 4f
        add     x2, x2, #1
        b       3b
4:      cmp     x2, x20
        csel    x2, x2, x20, ls
        mov     x21, x2
        mov     x0, x19
        bl      copy_to_user
        cmp     x0, #0
        csel    x0, x0, x21, ne
        b       2f
1:      mov     x0, #-ENOENT
2:      ldp     x20, x21, [sp], #16
        ldp     x19, x30, [sp], #16
        ret

sys_uname:
        adr     x1, names
        mov     x2, #(6 * 65)
        b       copy_to_user
sys_prctl:
        mov     x3, x0
        mov     x0, x1
        add     x1, x28, #P_COMM
        mov     x2, #16
        cmp     x3, #16                 // PR_GET_NAME
        b.eq    copy_to_user
        cmp     x3, #15                 // PR_SET_NAME
        b.ne    fail_einval
        mov     x3, x0
        mov     x0, x1
        mov     x1, x3
        mov     x2, #15
        b       copy_from_user
sys_prlimit64:
        cbnz    x2, fail_einval         // limits stay as they are
        cbz     x3, sys_zero
        mov     x0, x3
        adr     x2, limit_stack
        cmp     x1, #3                  // RLIMIT_STACK
        adr     x1, limit_none
        csel    x1, x2, x1, eq
        mov     x2, #16
        b       copy_to_user

// getrandom(buffer, size, flags): a generator of each process's own (xorshift64), so that runs repeat.
sys_getrandom:
        mov     x3, x1
        check_user x0, x1
        adr     x27, fail_efault
        ldr     x4, [x28, #P_RANDOM]
1:      cbz     x1, 2f
        eor     x4, x4, x4, lsl #13
        eor     x4, x4, x4, lsr #7
        eor     x4, x4, x4, lsl #17
        strb    w4, [x0], #1
        sub     x1, x1, #1
        b       1b
2:      mov     x27, #0
        str     x4, [x28, #P_RANDOM]
        mov     x0, x3
        ret
        .ltorg
`;
