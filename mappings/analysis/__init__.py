"""What a mapping makes of commits, looked at: explained, previewed, replayed, compared with another, issued anew."""
