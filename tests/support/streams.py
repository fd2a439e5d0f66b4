"""What all clients on asyncio's streams do alike."""


async def close(writer):
    """Ends the connection, also one that the other side has ended already."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass
