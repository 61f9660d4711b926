// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module outside the kernel's tree, as small as they come: what it takes to build one is what is tried. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init fastnet_probe_init(void)
{
	pr_notice("fastnet-probe: loaded\n");
	return 0;
}

static void __exit fastnet_probe_exit(void)
{
}

module_init(fastnet_probe_init);
module_exit(fastnet_probe_exit);
MODULE_DESCRIPTION("A module outside the kernel's tree");
MODULE_LICENSE("Dual MIT/GPL");
