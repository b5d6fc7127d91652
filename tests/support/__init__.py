"""What the tests share: servers, small markets, strategies, payloads, emulators of vendors."""
