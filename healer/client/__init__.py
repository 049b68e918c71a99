"""The only rooms with sockets: each speaks one foreign protocol and turns its errors into ours."""
