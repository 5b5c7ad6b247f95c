# For tests on several processes of a CPU. Python runs this file first where its folder is on PYTHONPATH.
import os

import torch

# accelerate calls the device cpu:0, as GPUs are called cuda:0, but PyTorch's CPU has no number, and so checkpoints could
# not be loaded.
torch.serialization.register_package(
    5, lambda storage: None, lambda storage, location: storage if location.startswith("cpu:") else None
)

# accelerate leaves FSDP out where processes are a CPU's, though PyTorch's FSDP runs there.
if os.environ.get("ACCELERATE_USE_FSDP") == "true" and "LOCAL_RANK" in os.environ:
    from accelerate.state import AcceleratorState, DistributedType

    begin = AcceleratorState.__init__

    def begin_with_fsdp(self, *args, fsdp_plugin=None, **settings):
        begin(self, *args, fsdp_plugin=fsdp_plugin, **settings)
        if fsdp_plugin is not None:
            self.fsdp_plugin = fsdp_plugin
        # Each further construction copies the processes' own kind over it.
        if getattr(self, "fsdp_plugin", None) is not None:
            self.distributed_type = DistributedType.FSDP

    AcceleratorState.__init__ = begin_with_fsdp
