from tests.devnet_fixtures import anvil_world, devnet, pyrevm_world

__all__ = ["anvil_world", "devnet", "pyrevm_world"]
