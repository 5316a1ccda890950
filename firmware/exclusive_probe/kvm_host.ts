/**
 * A first process of Linux that runs a guest by KVM and powers off: what an ordinary virtual machine monitor does, in as few calls.
 *
 * Linked at KVM_HOST_BASE as a static executable, entered at EL0 by Linux as `/init`; needs a kernel with KVM entered at EL2
 * and devtmpfs. The guest gets 2 MiB at its own base, one CPU with PSCI 0.2 and no interrupt controller; what it stores
 * to the PL011 goes to the console. Calls and structures: Linux, Documentation/virt/kvm/api.rst, include/uapi/linux/kvm.h.
 */
import type { Program } from "../../machine/a64/program.ts";
import { align, asm, bytes, label, part, program } from "../../machine/a64/program_parts.ts";

/** Where the process is linked. */
export const KVM_HOST_BASE = 0x40_0000n;

/** Most bytes of a guest. */
const GUEST_MEMORY = 0x20_0000;

/** Numbers of system calls (asm-generic/unistd.h), of KVM's ioctls, and of its reasons to exit. */
const EQUATES = asm`
        .equ    SYS_IOCTL, 29
        .equ    SYS_MOUNT, 40
        .equ    SYS_OPENAT, 56
        .equ    SYS_WRITE, 64
        .equ    SYS_REBOOT, 142
        .equ    SYS_MMAP, 222
        .equ    KVM_CREATE_VM, 0xae01
        .equ    KVM_GET_VCPU_MMAP_SIZE, 0xae04
        .equ    KVM_CREATE_VCPU, 0xae41
        .equ    KVM_SET_USER_MEMORY_REGION, 0x4020ae46
        .equ    KVM_RUN, 0xae80
        .equ    KVM_SET_ONE_REG, 0x4010aeac
        .equ    KVM_ARM_VCPU_INIT, 0x4020aeae
        .equ    KVM_ARM_PREFERRED_TARGET, 0x8020aeaf
        .equ    KVM_EXIT_MMIO, 6
        .equ    KVM_EXIT_SYSTEM_EVENT, 24
        .equ    EXIT_REASON, 8                  // of struct kvm_run
        .equ    MMIO_ADDRESS, 32
        .equ    MMIO_DATA, 40
        .equ    MMIO_IS_WRITE, 52
        .equ    FEATURE_PSCI_0_2, 4
        .equ    UART, 0x09000000`;

/** Makes the process that runs a guest; RangeError for one that does not fit its memory. */
export function kvmHostProgram(guest: Program): Program {
  if (guest.size > GUEST_MEMORY) {
    throw new RangeError(`Cannot run a guest of ${guest.size} bytes by KVM: it has ${GUEST_MEMORY}`);
  }
  const image = label("image"), imageEnd = label("image_end");
  return program([
    EQUATES,
    part(
      "kvm_host",
      asm`
// x19 = /dev/kvm, x20 = VM, x21 = CPU, x22 = its struct kvm_run, x23 = guest memory, x28 = number of the step.
_start: mov     x28, #'0'
        adr     x0, text_devtmpfs
        adr     x1, text_dev
        mov     x2, x0
        mov     x3, #0
        mov     x4, #0
        mov     x8, #SYS_MOUNT
        bl      call                            // step 1
        mov     x0, #-100                       // AT_FDCWD
        adr     x1, text_kvm
        mov     x2, #2                          // O_RDWR
        mov     x3, #0
        mov     x8, #SYS_OPENAT
        bl      call                            // 2
        mov     x19, x0
        ldr     x1, =KVM_CREATE_VM
        mov     x2, #0
        bl      ioctl                           // 3
        mov     x20, x0
        mov     x0, #0
        mov     x1, #${GUEST_MEMORY}
        mov     x3, #0x21                       // MAP_SHARED, MAP_ANONYMOUS
        mov     x4, #-1
        bl      mmap                            // 4
        mov     x23, x0
        adrp    x1, ${image}
        add     x1, x1, :lo12:${image}
        adrp    x2, ${imageEnd}
        add     x2, x2, :lo12:${imageEnd}
1:      ldr     x3, [x1], #8
        str     x3, [x0], #8
        cmp     x1, x2
        b.lo    1b
        adr     x2, region
        str     x23, [x2, #24]
        ldr     x1, =KVM_SET_USER_MEMORY_REGION
        mov     x0, x20
        bl      ioctl                           // 5
        mov     x0, x20
        ldr     x1, =KVM_CREATE_VCPU
        mov     x2, #0
        bl      ioctl                           // 6
        mov     x21, x0
        mov     x0, x20
        ldr     x1, =KVM_ARM_PREFERRED_TARGET
        adr     x2, target
        bl      ioctl                           // 7
        adr     x2, target
        mov     w0, #FEATURE_PSCI_0_2
        str     w0, [x2, #4]
        mov     x0, x21
        ldr     x1, =KVM_ARM_VCPU_INIT
        bl      ioctl                           // 8
        mov     x0, x19
        ldr     x1, =KVM_GET_VCPU_MMAP_SIZE
        mov     x2, #0
        bl      ioctl                           // 9
        mov     x1, x0
        mov     x0, #0
        mov     x3, #1                          // MAP_SHARED
        mov     x4, x21
        bl      mmap                            // :
        mov     x22, x0
        mov     x0, x21
        ldr     x1, =KVM_SET_ONE_REG
        adr     x2, register
        adr     x3, entry
        str     x3, [x2, #8]
        bl      ioctl                           // ;
run:    mov     x0, x21
        ldr     x1, =KVM_RUN
        mov     x2, #0
        mov     x8, #SYS_IOCTL
        svc     #0
        cmn     x0, #4                          // EINTR
        b.eq    run
        tbnz    x0, #63, failed
        ldr     w0, [x22, #EXIT_REASON]
        cmp     w0, #KVM_EXIT_SYSTEM_EVENT
        b.eq    off
        cmp     w0, #KVM_EXIT_MMIO
        b.ne    failed
        ldrb    w0, [x22, #MMIO_IS_WRITE]
        cbz     w0, zero
        ldr     x0, [x22, #MMIO_ADDRESS]
        ldr     x1, =UART
        cmp     x0, x1
        b.ne    run
        mov     x0, #1
        add     x1, x22, #MMIO_DATA
        mov     x2, #1
        mov     x8, #SYS_WRITE
        svc     #0
        b       run
zero:   str     xzr, [x22, #MMIO_DATA]
        b       run

mmap:   mov     x2, #3                          // PROT_READ, PROT_WRITE
        mov     x5, #0
        mov     x8, #SYS_MMAP
        b       call
ioctl:  mov     x8, #SYS_IOCTL
call:   add     x28, x28, #1
        svc     #0
        tbnz    x0, #63, failed
        ret
failed: adr     x1, text_step
        strb    w28, [x1]
        mov     x0, #1
        adr     x1, text_failed
        mov     x2, #(text_step - text_failed + 2)
        mov     x8, #SYS_WRITE
        svc     #0
off:    ldr     x0, =0xfee1dead
        ldr     x1, =672274793
        ldr     x2, =0x4321fedc                 // LINUX_REBOOT_CMD_POWER_OFF
        mov     x8, #SYS_REBOOT
        svc     #0
        b       .
        .ltorg
text_devtmpfs:  .asciz  "devtmpfs"
text_dev:       .asciz  "/dev"
text_kvm:       .asciz  "/dev/kvm"
text_failed:    .ascii  "kvm: failed at step "
text_step:      .ascii  "?\n"
        .balign 8
region: .word   0, 0                            // slot, flags
        .quad   ${guest.base}, ${GUEST_MEMORY}, 0
target: .space  32
register:
        .quad   0x6030000000100040, 0           // KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE_REG(regs.pc)
entry:  .quad   ${guest.base}`,
    ),
    align(16),
    image,
    bytes(guest.bytes),
    align(16),
    imageEnd,
  ], { name: "kvm_host", base: KVM_HOST_BASE });
}
