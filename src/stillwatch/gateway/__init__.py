"""The gateway: OpenAI and Anthropic wire before a live model; answers first, evidence afterwards."""
