/** What the loader writes for CPUs that wait for one protocol or another, as assembly. */

/** What is written for one kind of machine. */
export interface Writing {
  /** x2 and x3 get the first address and the bytes of what is reserved; to 3f when nothing is. */
  readonly reservation: string;
  /** Where the boot CPU's node goes; nothing when it is left as it is, but for its `enable-method`. */
  readonly boot: string;
  /** `write_parked`, properties in front of those of a CPU that waits, and `write_psci`. */
  readonly parked: string;
  /** A node that is no CPU's, at the offset x0: x24 may become COPY_PSCI. */
  readonly psci: string;
}

/** For each protocol that is written. */
export const WRITINGS: Readonly<Record<"spin-table" | "psci", Writing>> = {
  "spin-table": {
    reservation: `        ldr     x2, [x28, #VARS_PAGES]
        cbz     x2, 3f
        lsl     x3, x2, #12
        adrp    x2, mailboxes
        add     x2, x2, :lo12:mailboxes
`,
    boot: "",
    parked: `write_parked:
        mov     x0, #11
        mov     x1, #ADDED_ENABLE_METHOD
        bl      put_property
        adr     x0, text_spin_table
        mov     x1, #11
        bl      put_bytes
        mov     x0, #8
        mov     x1, #ADDED_CPU_RELEASE_ADDR
        bl      put_property
        ldr     x0, [x26, #CORE_PAGE]           // the core's page
        add     x0, x0, #MAILBOX_ADDRESS
        lsr     x1, x0, #32
        rev     w1, w1
        rev     w0, w0
        stp     w1, w0, [x9], #8
        b       write_token
write_psci:
        b       write_token`,
    psci: "mov     x24, #COPY_PLAIN",
  },
  psci: {
    reservation: `        adr     x2, _start
        adrp    x3, image_end
        sub     x3, x3, x2
`,
    // One like the others.
    boot: `        cmp     x24, #COPY_BOOT
        b.eq    write_parked
`,
    parked: `write_parked:
        mov     x0, #5
        mov     x1, #ADDED_ENABLE_METHOD
        bl      put_property
        adr     x0, name_psci_method
        mov     x1, #5
        bl      put_bytes
        b       write_token
write_psci:
        mov     x0, #4
        mov     x1, #ADDED_METHOD
        bl      put_property
        adr     x0, name_hvc
        mov     x1, #4
        bl      put_bytes
        b       write_token`,
    psci: `ldr     x1, [x28, #VARS_PSCI]
        sub     x1, x1, #1
        cmp     x1, x0
        mov     x2, #COPY_PSCI
        csel    x24, x2, xzr, eq`,
  },
};
