/**
 * Faults and signals of the dual-width kernel: a process learns of its faults as on Linux, with fault address and
 * syndrome in the signal frame (arch/arm64: struct rt_sigframe), or is ended with a message.
 */

/** Offsets in a signal frame: `siginfo`, `ucontext` with its `sigcontext`, then `fpsimd_context` and `esr_context`. */
// deno-fmt-ignore
const FRAME = {
  SIGNO: 0, ERRNO: 4, CODE: 8, ADDRESS: 16,
  UCONTEXT: 128, SIGMASK: 168, FAULT: 304, REGS: 312, SP: 560, PC: 568, PSTATE: 576,
  FPSIMD: 592, FPSR: 600, VREGS: 608, ESR: 1120, ESR_VALUE: 1128, END: 1136, SIZE: 4688,
};

const equates = Object.entries(FRAME).map(([name, offset]) => `        .equ    F_${name}, ${offset}`).join(
  "\n",
);

/** Faults, signals and panics; for `kernelSources`. */
export const SIGNALS_SOURCE: string = String.raw`
${equates}
        .equ    IGNORED, (1 << 16) | (1 << 17) | (1 << 22) | (1 << 27)    // SIGCHLD, SIGCONT, SIGURG, SIGWINCH
        .equ    FPSIMD_MAGIC, 0x46508001
        .equ    ESR_MAGIC, 0x45535201

// Raises signal x0 in x28, with syndrome x20 and fault address x21: its handler is entered, or it ends.
raise_signal:
        stp     x29, x30, [sp, #-32]!
        str     x22, [sp, #16]
        mov     x22, x0
        sub     x1, x0, #1
        mov     x2, #1
        lsl     x2, x2, x1
        ldr     x3, [x28, #P_SIGMASK]
        tst     x3, x2
        b.ne    end_by_signal           // blocked
        add     x1, x28, x1, lsl #5
        ldr     x3, [x1, #P_ACTIONS]
        cmp     x3, #1
        b.ls    end_by_signal           // SIG_DFL, SIG_IGN
        ldr     x4, [x28, #P_SP]
        sub     x4, x4, #(F_SIZE & 0xfff)
        sub     x4, x4, #(F_SIZE >> 12), lsl #12
        and     x4, x4, #~15            // the frame
        mov     x5, #USER_LIMIT
        cmp     x4, x5
        b.hs    end_by_signal
        adr     x27, end_by_signal      // the stack may not be there
        str     w22, [x4]
        str     wzr, [x4, #F_ERRNO]
        mov     w5, #1
        str     w5, [x4, #F_CODE]
        str     x21, [x4, #F_ADDRESS]
        stp     xzr, xzr, [x4, #F_UCONTEXT]
        stp     xzr, xzr, [x4, #(F_UCONTEXT + 16)]
        str     xzr, [x4, #(F_UCONTEXT + 32)]
        ldr     x5, [x28, #P_SIGMASK]
        str     x5, [x4, #F_SIGMASK]
        str     x21, [x4, #F_FAULT]
        mov     x6, #0
1:      ldr     x7, [x28, x6]           // X0 to X30, SP, PC, PSTATE: in the same order
        add     x8, x4, x6
        str     x7, [x8, #F_REGS]
        add     x6, x6, #8
        cmp     x6, #(P_PSTATE + 8)
        b.ne    1b
        and     x7, x7, #0xf0000000     // NZCV: the same on every CPU
        str     x7, [x4, #F_PSTATE]
        ldr     x6, =(FPSIMD_MAGIC | (528 << 32))
        str     x6, [x4, #F_FPSIMD]
        mrs     x6, fpsr
        mrs     x7, fpcr
        str     w6, [x4, #F_FPSR]
        str     w7, [x4, #(F_FPSR + 4)]
        add     x0, x4, #F_VREGS
        bl      save_vectors
        ldr     x6, =(ESR_MAGIC | (16 << 32))
        str     x6, [x4, #F_ESR]
        str     x20, [x4, #F_ESR_VALUE]
        str     xzr, [x4, #F_END]
        mov     x27, #0
        str     x22, [x28]
        add     x6, x4, #F_UCONTEXT
        stp     x4, x6, [x28, #8]
        ldr     x6, [x1, #(P_ACTIONS + 16)]
        str     x6, [x28, #240]         // X30: the restorer
        str     x4, [x28, #P_SP]
        str     xzr, [x28, #P_PSTATE]
        str     x3, [x28, #P_PC]
        ldr     x6, [x1, #(P_ACTIONS + 24)]
        orr     x5, x5, x6
        orr     x5, x5, x2
        str     x5, [x28, #P_SIGMASK]
1:      ldr     x22, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret
end_by_signal:
        mov     x27, #0
        adr     x0, text_pid
        bl      print
        ldr     x0, [x28, #P_PID]
        bl      print_decimal
        adr     x0, text_killed
        bl      print
        mov     x0, x22
        bl      print_decimal
        bl      print_syndrome
        ldr     x0, [x28, #P_PC]
        bl      print_hexadecimal
        adr     x0, text_newline
        bl      print
        add     x0, x22, #128
        bl      end_process
        b       1b
        .ltorg

sys_rt_sigreturn:
        ldr     x4, [x28, #P_SP]
        mov     x2, #F_SIZE
        check_user x4, x2
        adr     x27, fail_efault
        ldr     x5, [x4, #F_SIGMASK]
        str     x5, [x28, #P_SIGMASK]
        mov     x6, #0
1:      add     x8, x4, x6
        ldr     x7, [x8, #F_REGS]
        str     x7, [x28, x6]
        add     x6, x6, #8
        cmp     x6, #P_PSTATE
        b.ne    1b
        ldr     x7, [x4, #F_PSTATE]
        and     x7, x7, #0xf0000000     // NZCV; the rest is EL0's
        str     x7, [x28, #P_PSTATE]
        ldr     w6, [x4, #F_FPSR]
        ldr     w7, [x4, #(F_FPSR + 4)]
        msr     fpsr, x6
        msr     fpcr, x7
        mov     x5, x30
        add     x0, x4, #F_VREGS
        bl      load_vectors
        mov     x27, #0
        ldr     x0, [x28]
        ret     x5

// kill and tgkill: there is nobody but oneself. What is sent is delivered when the process goes on, unless it is blocked.
sys_tgkill:
        mov     x0, x1
        mov     x1, x2
sys_kill:
        ldr     x2, [x28, #P_PID]
        cmp     x0, x2
        mov     x0, #-ESRCH
        b.ne    1f
        mov     x0, #0
        cbz     x1, 1f
        sub     x1, x1, #1
        cmp     x1, #63
        b.hi    fail_einval
        mov     x2, #1
        lsl     x2, x2, x1
        ldr     x3, [x28, #P_PENDING]
        orr     x3, x3, x2
        str     x3, [x28, #P_PENDING]
1:      ret

// The first of the signals x0, which are pending and not blocked, is taken before x28 goes on.
deliver_pending:
        rbit    x1, x0
        clz     x1, x1
        mov     x2, #1
        lsl     x2, x2, x1
        ldr     x3, [x28, #P_PENDING]
        bic     x3, x3, x2
        str     x3, [x28, #P_PENDING]
        add     x3, x28, x1, lsl #5
        ldr     x3, [x3, #P_ACTIONS]
        cmp     x3, #1                  // SIG_IGN
        b.eq    system_call_done
        ldr     x4, =IGNORED
        tst     x4, x2
        ccmp    x3, #0, #0, ne          // SIG_DFL, and that is to ignore it
        b.eq    system_call_done
        add     x0, x1, #1
        mov     x20, #0
        mov     x21, #0
        bl      raise_signal
        b       system_call_done
        .ltorg

// rt_sigaction(signal, action, old, size)
sys_rt_sigaction:
        sub     x5, x0, #1
        cmp     x5, #63
        b.hi    fail_einval
        cmp     x3, #8
        b.ne    fail_einval
        stp     x19, x30, [sp, #-32]!
        stp     x20, x21, [sp, #16]
        mov     x20, x1
        add     x19, x28, #P_ACTIONS
        add     x19, x19, x5, lsl #5
        cbz     x2, 1f
        mov     x0, x2
        mov     x1, x19
        mov     x2, #32
        bl      copy_to_user
        cbnz    x0, 2f
1:      mov     x0, #0
        cbz     x20, 2f
        mov     x0, x19
        mov     x1, x20
        mov     x2, #32
        bl      copy_from_user
2:      ldp     x20, x21, [sp, #16]
        ldp     x19, x30, [sp], #32
        ret

// rt_sigprocmask(how, set, old, size)
sys_rt_sigprocmask:
        cmp     x3, #8
        b.ne    fail_einval
        stp     x19, x30, [sp, #-32]!
        stp     x20, x21, [sp, #16]
        mov     x19, x0
        mov     x20, x1
        cbz     x2, 1f
        mov     x0, x2
        add     x1, x28, #P_SIGMASK
        mov     x2, #8
        bl      copy_to_user
        cbnz    x0, 3f
1:      mov     x0, #0
        cbz     x20, 3f
        sub     sp, sp, #16
        mov     x0, sp
        mov     x1, x20
        mov     x2, #8
        bl      copy_from_user
        ldr     x1, [sp], #16
        cbnz    x0, 3f
        ldr     x2, [x28, #P_SIGMASK]
        orr     x3, x2, x1              // SIG_BLOCK
        cbz     x19, 2f
        bic     x3, x2, x1              // SIG_UNBLOCK
        cmp     x19, #1
        b.eq    2f
        mov     x3, x1                  // SIG_SETMASK
        mov     x0, #-EINVAL
        cmp     x19, #2
        b.ne    3f
        mov     x0, #0
2:      str     x3, [x28, #P_SIGMASK]
3:      ldp     x20, x21, [sp, #16]
        ldp     x19, x30, [sp], #32
        ret
        .ltorg
`;
