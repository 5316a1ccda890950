/** What the loader says, and the names that it looks for. */

/** Texts and the table of errors. */
export const TEXTS = String.raw`
        .balign 8
errors: .quad   1,  text_eperm
        .quad   5,  text_eio
        .quad   12, text_enomem
        .quad   16, text_ebusy
        .quad   22, text_einval
        .quad   38, text_enosys
        .quad   95, text_eopnotsupp
        .quad   99, text_eaddrnotavail
        .quad   0,  text_other
text_eperm:      .asciz "EPERM: only root may, and not under lockdown or kexec_load_disabled"
text_enomem:     .asciz "ENOMEM: the host has not the memory for it"
text_ebusy:      .asciz "EBUSY: the host cannot turn its other CPUs off, or another load goes on"
text_einval:     .asciz "EINVAL: segments overlap or are too large, or nothing is loaded"
text_enosys:     .asciz "ENOSYS: the host's kernel has no kexec"
text_eaddrnotavail: .asciz "EADDRNOTAVAIL: an address is not a page's, or not of memory"
text_other:      .asciz "refused"
text_errno:      .asciz " (errno "
text_end:        .asciz ")\n"
text_line:       .asciz "\n"
text_space:      .asciz " "
text_colon:      .asciz ": "
text_0x:         .asciz "0x"
text_name:       .asciz "kexec-hypervisor: "
text_usage:      .ascii "usage: kexec-hypervisor [-f] [-m MANIFEST] xen|esx HYPERVISOR[@ADDRESS] ARGUMENTS KERNEL[@ADDRESS] ARGUMENTS INITRD[@ADDRESS]\n"
                 .ascii "       kexec-hypervisor exec | unload\n"
                 .asciz "       kexec-hypervisor adopt HYPERVISOR@ADDRESS MODULE | release MODULE\n"
text_loaded:     .asciz "kexec-hypervisor: loaded\n"
text_unloaded:   .asciz "kexec-hypervisor: unloaded\n"
text_reboot:     .asciz "reboot"
text_kexec_load: .asciz "kexec_load"
text_at_el1:     .asciz "started at EL1"
text_level:      .asciz "this host was entered at EL1: EL2, where a hypervisor goes, is not its own to give"
text_open:       .asciz "cannot be read"
text_address:    .asciz "the address behind @ is not hexadecimal"
text_no_image:   .asciz "not an arm64 Image: no ARM\\x64 at byte 56"
text_no_elf:     .asciz "not an ELF file of AArch64 that can be executed"
text_no_header:  .asciz "no ESXBootInfo header in the first 8192 bytes of its lowest segment"
text_needs:      .asciz "its ESXBootInfo header needs what this loader has not"
text_no_initrd:  .asciz "not an initrd: neither cpio nor compressed by gzip, xz or zstd"
text_manifest:   .asciz "not in the manifest with this SHA-256"
text_no_manifest: .asciz "the manifest cannot be read"
text_no_tree:    .asciz "/sys/firmware/fdt cannot be read: the host has no device tree, or /sys is not mounted"
text_bad_tree:   .asciz "the host's device tree cannot be used: #address-cells and #size-cells of 2, /chosen and memory are needed"
text_no_uart:    .asciz "the host's device tree names no arm,pl011 to tell on"
text_full:       .asciz "the modules do not fit into the host's memory"
text_many:       .asciz "its segments are too many"
text_unaligned:  .asciz "a segment of it is not a multiple of 16 from its file's beginning"
text_segment:    .asciz "segment "
text_bytes:      .asciz " bytes "
text_final:      .asciz "hypervisor goes to "
text_quiesce:    .asciz "quiesce list: devices "
path_tree:       .asciz "/sys/firmware/fdt"
word_exec:       .asciz "exec"
word_unload:     .asciz "unload"
word_adopt:      .asciz "adopt"
word_release:    .asciz "release"
name_module:     .asciz "module"
path_memory_device: .asciz "/dev/mem"
text_dev_mem:    .asciz "/dev/mem"
text_place:      .asciz "the hypervisor needs @ADDRESS, 2 MiB of memory that is not the host's (mem=)"
text_no_mark:    .asciz "not the module that adopts"
text_module:     .asciz "init_module"
text_affinity:   .asciz "sched_setaffinity"
text_adopted:    .asciz "kexec-hypervisor: adopted CPUs "
text_released:   .asciz "kexec-hypervisor: released CPUs "
text_eio:        .asciz "EIO: the hypervisor refuses; are all CPUs online?"
text_eopnotsupp: .asciz "EOPNOTSUPP: the host is at EL2 itself, or was not entered there"
word_xen:        .asciz "xen"
word_esx:        .asciz "esx"
name_hypervisor: .asciz "hypervisor"
name_kernel:     .asciz "kernel"
name_initrd:     .asciz "initrd"
name_tree:       .asciz "tree"
name_info:       .asciz "info"
name_stage:      .asciz "second-stage"
        .balign 8
`;
