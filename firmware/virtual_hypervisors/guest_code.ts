/** What the small guests of virtual-hypervisors have in common: where they are, addresses of devices, vectors. */

/** Where a flat image is in a virtual machine. */
export const VM_GUEST_BASE = 0x40080000n;

/** Addresses of devices as each virtual machine has them, PSCI, and the macro of a vector. */
export const COMMON: string = String.raw`
        .equ    UART,           0x09000000
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    GICR_SGI,       0x080b0000
        .equ    PSCI_OFF,       0x84000008

        .macro  vector target
        .balign 0x80
        b       \target
        .endm
`;

/** Vectors of EL1 that go to `skip` and `interrupt`. */
export const VECTORS: string = String.raw`
        .balign 0x800
vectors:
        .rept   4
        vector  skip
        vector  interrupt
        vector  interrupt
        vector  skip
        .endr
`;
