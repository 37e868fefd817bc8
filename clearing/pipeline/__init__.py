"""From accepted orders to blocks and back: sequencer and projector."""
